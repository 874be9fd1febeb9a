"""What staff do in a story, and how its cases should end: read, told without servers, and judged."""
