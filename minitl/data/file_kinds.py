"""Plain words for a file that cannot be read as a photograph, from its first bytes.

`photos` uses this for its messages only. Nothing is decided by it.
"""

CUT = "it is a {} file that is damaged or cut short. Fetch or save it again"
FILM = "it is a film, {}; only still photographs are read. Save frames of it as JPEG or PNG"
OTHER = "it is {}, no image. Save it as JPEG or PNG if it shows a photograph"
RAW = "it is a camera's raw file. Save it as JPEG or PNG"
TIFF = "it is a TIFF or raw file that is damaged, or of a kind that is not read. Save it as JPEG or PNG"
HEIC = "it is a HEIC photograph, which needs pillow-heif: python -m pip install pillow-heif. Or save it as JPEG"
UNKNOWN = "it begins as no format of images does. Remove it, or save it as JPEG or PNG"

# (position, the bytes there, what the file is). The first row that fits counts.
SIGNATURES = [
    (0, b"\xff\xd8\xff", CUT.format("JPEG")),
    (0, b"\x89PNG", CUT.format("PNG")),
    (0, b"GIF8", CUT.format("GIF")),
    (8, b"WEBP", CUT.format("WebP")),
    (0, b"BM", CUT.format("BMP")),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (0, b"II+\0", TIFF),
    (0, b"MM\0+", TIFF),
    (0, b"IIRO", RAW),
    (0, b"IIU\0", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"\0\0\0\x0cjP  ", CUT.format("JPEG 2000")),
    (8, b"AVI ", FILM.format("AVI")),
    (0, b"\x1aE\xdf\xa3", FILM.format("Matroska or WebM")),
    (0, b"\0\0\x01\xba", FILM.format("MPEG")),
    (0, b"\0\0\x01\xb3", FILM.format("MPEG")),
    (0, b"FLV", FILM.format("Flash")),
    (0, b"\x30\x26\xb2\x75", FILM.format("Windows Media")),
    (0, b"OggS", FILM.format("Ogg")),
    (0, b"\xff\x0a", "it is a JPEG XL file, which Pillow does not read. Save it as JPEG or PNG"),
    (4, b"JXL ", "it is a JPEG XL file, which Pillow does not read. Save it as JPEG or PNG"),
    (0, b"%!PS", OTHER.format("PostScript, a program that draws")),
    (0, b"\xc5\xd0\xd3\xc6", OTHER.format("PostScript, a program that draws")),
    (0, b"%PDF", OTHER.format("a PDF document")),
    (0, b"\xd7\xcd\xc6\x9a", OTHER.format("a Windows drawing (WMF)")),
    (40, b" EMF", OTHER.format("a Windows drawing (EMF)")),
    (0, b"PK\x03\x04", "it is a ZIP archive, or a document that is one. Unpack it"),
    (0, b"\x1f\x8b", "it is packed with gzip. Unpack it"),
    (0, b"7z\xbc\xaf", "it is a 7z archive. Unpack it"),
    (0, b"Rar!", "it is a RAR archive. Unpack it"),
    (0, b"\x93NUMPY", "it is a NumPy array whose file is not called .npy"),
    (0, b"version https://git-lfs", "it is a Git LFS pointer, not the file itself. Fetch it with: git lfs pull"),
]
# Files that begin with b"....ftyp" and a brand: films, and photographs of phones.
BRANDS = {
    b"heic": HEIC, b"heix": HEIC, b"heim": HEIC, b"heis": HEIC, b"hevc": HEIC, b"hevx": HEIC, b"mif1": HEIC,
    b"msf1": HEIC, b"avif": CUT.format("AVIF"), b"avis": CUT.format("AVIF"), b"qt  ": FILM.format("QuickTime"),
    b"crx ": RAW,
}  # fmt: skip


def kind_of(path, reads_heic=False, content=None):
    """Return what a file is and what to do about it, as a part of a sentence.

    reads_heic   whether HEIC can be read here; then a file that cannot be read is damaged
    content      the bytes of the file, where they were read before; then the path is not opened
    """
    try:
        start = content[:512] if content is not None else _start_of(path)
    except OSError as error:
        return error.strerror or str(error)
    if start[4:8] == b"ftyp":
        brand = b"avif" if start[8:12] in (b"mif1", b"msf1") and b"avif" in start[16:64] else start[8:12]
        words = BRANDS.get(brand, FILM.format("MP4"))
        return CUT.format("HEIC") if words == HEIC and reads_heic else words
    for position, mark, words in SIGNATURES:
        if start[position : position + len(mark)] == mark:
            return words
    return _kind_of_text(start) or UNKNOWN


def _start_of(path):
    with open(path, "rb") as file:
        return file.read(512)


def _kind_of_text(start):
    """Return what a text is, or None if these are no letters."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if any(byte < 32 and byte not in b"\t\r\n\f" for byte in text):
        return None
    try:
        text.decode()
    except UnicodeDecodeError as error:
        if error.start < len(text) - 4:  # a letter at the very end may be cut
            return None
    head = text.lower()
    if b"<svg" in head:
        return OTHER.format("a drawing (SVG)")
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps an error message. Fetch the photograph again"
    return OTHER.format("a text") if text else None
