"""How a photograph was held: its EXIF says which way it is to be turned."""

from PIL import ExifTags, Image, ImageOps


def turn_of(picture: Image.Image) -> int:
    """How EXIF says the picture is turned, 1 to 8; 1 where it says nothing, or nothing legible. Not before the
    pixels of a PNG are loaded, as its EXIF may lie behind them."""
    try:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return turn if turn in range(2, 9) else 1
    except Exception:  # EXIF of any kind of nonsense; the pixels are sound all the same
        return 1


def upright_of(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says."""
    return ImageOps.exif_transpose(picture) if turn_of(picture) > 1 else picture
