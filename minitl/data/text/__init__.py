"""Text: labelled texts from files (`tables`, `folder`, `audit`), and token numbers in batches (`lengths`, `stream`)."""
