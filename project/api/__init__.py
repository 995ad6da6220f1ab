"""What all REST views share: problem documents, strict input, cursor pages, and a limit on bodies."""
