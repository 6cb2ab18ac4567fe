"""Benchmarks: the speed of minitl beside other frameworks on the same machine.

    minitl bench                     all frameworks that are installed; with all of them, three quarters of an hour
    minitl bench --quick             minitl alone, less than a minute
    python -m benchmarks             the same without an installed minitl

README.md has the results. Read `plan` (what is measured), `run` (how: every program in a process of its own, all in
turn), `engines/`, which has one file for each library, with the same network in the words of that library, `products`
(the limit beside which the times stand), and `tables` (what is printed). `kernels` is a program of its own, for the
figures in the comments of minitl's kernels. `results/` has measured results that take long to repeat.
"""
