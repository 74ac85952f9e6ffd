"""The interface in other languages, one file each: English texts and what they are there. languages.py imports them."""
