"""The report on a fine-tuning for texts."""


def report_on_texts(job, evaluation, history, accuracy, seconds):
    """Write the report."""
    raise NotImplementedError
