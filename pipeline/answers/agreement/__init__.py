"""Does a value agree with the words of the document: numbers, dates, times and text, in many languages."""

from pipeline.answers.agreement.agree import Agreement, agree

__all__ = ["Agreement", "agree"]
