"""What everything stands on: errors, money, instants, texts, files. Imports nothing of ours."""
