"""What is drawn with: words, lines, pictures, the menu, why a button is grey; operators and panels may import it."""
