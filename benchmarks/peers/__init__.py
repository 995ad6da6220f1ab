"""What is measured. Each module or package `shop` has the same verbs: set_up, token, place_one, place_many."""
