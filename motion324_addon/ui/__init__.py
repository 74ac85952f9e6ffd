"""What the panels draw with: words, lines, pictures, the menu, and why a button is grey."""
