"""How fast is minitl, beside the frameworks on the same machine?

    minitl bench                     everything that is installed; about half an hour with all peers
    minitl bench --quick             minitl alone, less than a minute
    python -m benchmarks             the same without installing minitl

Read `plan` (what is measured), `run` (how: every program in a process of its own, all in turn), and `engines/`, one
file for each library, where the same network is written in that library's words. `kernels` is a program of its own: the
figures in the comments of minitl's kernels. `results/` has measured results that take long to measure again.
"""
