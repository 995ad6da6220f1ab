"""What every service's REST views share: problem documents, strict input, cursor pages, a limit on bodies."""
