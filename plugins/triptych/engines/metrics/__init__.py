"""How right predictions are: what is counted of them, and the figures as a page.

An engine's author feeds batches of texts, what is true beside what was predicted, to `classification.Classification`
(accuracy, precision, recall, F1, confusion matrix) or `transcription.Transcription` (word error rate), reads the
figures, and shows them by `page.page`. Memory: counts per pair of classes, or of the worst records.
"""
