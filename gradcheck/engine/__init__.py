"""The engine: from a request to verdicts, task by task, wherever tasks are performed."""
