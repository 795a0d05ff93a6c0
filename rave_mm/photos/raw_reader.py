"""Opens camera RAW files with rawpy, which develops them as 16-bit sRGB."""

from pathlib import Path

import pyvips

from rave_mm.photos.colour import image_of
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.photos.formats import RAW
from rave_mm.photos.metadata import Metadata, damage_told, tiff_tags, upright_exif
from rave_mm.photos.photo import Header, Photo


def open_raw(path: Path) -> Photo:
    """Open a camera RAW file.

    It is developed with the camera's white balance, and as bright as it was exposed: LibRaw's own
    brightening would hide the backlight.

    Raises:
        UnreadablePhotoError: It is damaged, or of a camera that LibRaw does not know.
    """
    import rawpy

    try:
        with rawpy.imread(str(path)) as raw:
            sizes = raw.sizes
            height, width = sizes.height, sizes.width
            if sizes.flip in (5, 6):
                height, width = width, height
    except (rawpy.LibRawError, OSError) as error:
        raise UnreadablePhotoError(path, _reason(error)) from error

    def stream(shrink: int) -> pyvips.Image:
        try:
            with rawpy.imread(str(path)) as raw:
                developed = raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=16)
                return image_of(developed)
        except (rawpy.LibRawError, OSError) as error:
            raise UnreadablePhotoError(path, _reason(error)) from error

    def read_metadata() -> Metadata:
        with damage_told(path):
            return Metadata(upright_exif(tiff_tags(path), *photo.size))

    photo = Photo(path, RAW, Header(height, width, deep=True, by_rows=False), stream, read_metadata)
    return photo


def _reason(error: Exception) -> str:
    text = error.args[0] if error.args else str(error)
    return text.decode() if isinstance(text, bytes) else str(text)
