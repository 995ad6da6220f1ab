"""The systems to measure. Each module or package `shop` has the functions set_up, token, place_one and place_many."""
