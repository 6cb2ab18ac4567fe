"""What teaches: `explain` (one update with all its numbers), `mistakes` (twenty classic ones, wrong and mended),
`study` (which layers carry over?), and `add_your_own.md` (a layer, a loss, an optimizer, a network)."""
