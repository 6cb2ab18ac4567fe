"""The course, and the programs that it runs.

README.md         the course: fourteen chapters
explain/          one update with all its numbers
mistakes/         twenty classic mistakes, each wrong and mended
study/            which layers carry over to another task?
where/            which pixels, which boxes? Two small networks on shapes
add_your_own.md   how to add a layer, a loss, an optimizer, a network, a format of weight files
contributing.md   how the code and the texts of this repository are written
"""
