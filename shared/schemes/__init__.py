"""Rules as data: the vocabulary of the books (`procedure`, `forms`, `book`) and their reader (`catalog`)."""
