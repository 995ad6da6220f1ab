"""How the admin writes dates; Django looks here by language (settings.FORMAT_MODULE_PATH)."""
