"""Job files: their lines, what these need and write, how long they take, and the record of those that are done."""
