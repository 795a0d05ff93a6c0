"""Small good files, which the fuzzer changes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from rave_mm.direction.residual_vector import Provenance, ResidualVector
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.small_view_net import SmallViewLightMapNet
from rave_mm.photos.pillow_reader import register_heic
from tests.photos.pictures import DISPLAY_P3, exif, noise, write_16_bit_tiff
from tests.photos.test_raw_reader import write_dng


def photos(folder: Path) -> None:
    picture = Image.fromarray(noise(12, 17))
    tags = exif(6)
    tags[0x010F], tags[0x9003] = "Made", "2026:11:26 10:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = {"exif": tags.tobytes(), "icc_profile": profile, "dpi": (300, 300)}
    picture.save(folder / "a.jpg", quality=80, comment=b"a comment", **told)
    adobe = exif(1)
    adobe[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    picture.save(folder / "adobe.jpg", exif=adobe)
    picture.save(folder / "p3.jpg", icc_profile=DISPLAY_P3)
    picture.save(folder / "progressive.jpg", progressive=True, subsampling=2)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("L").save(folder / "gray.jpg", xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    picture.save(folder / "a.png", pnginfo=text, **told)
    text.add(b"gAMA", (50_000).to_bytes(4, "big"))
    text.add(b"cHRM", np.arange(10_000, 90_000, 10_000).astype(">u4").tobytes())
    picture.save(folder / "declared.png", pnginfo=text)
    picture.convert("P").save(folder / "palette.png")
    Image.fromarray(noise(12, 17, channels=4)).save(folder / "alpha.png")
    Image.fromarray(noise(12, 17, np.uint16)[..., 0]).save(folder / "deep.png")
    for compression in ("tiff_lzw", "tiff_deflate", "jpeg", "raw"):
        picture.save(folder / f"{compression}.tif", compression=compression, **told)
    write_16_bit_tiff(folder / "deep.tif", noise(12, 17, np.uint16))
    Image.fromarray(np.random.default_rng(0).random((12, 17), np.float32)).save(folder / "f.tif")
    picture.save(folder / "a.webp", exif=tags.tobytes(), icc_profile=profile)
    picture.save(folder / "lossless.webp", lossless=True)
    picture.save(folder / "a.avif", exif=tags.tobytes())
    picture.save(folder / "a.gif")
    picture.save(folder / "a.bmp")
    register_heic()
    picture.save(folder / "a.heic", exif=tags.tobytes())
    write_dng(folder / "a.dng", noise(64, 96, np.uint16)[..., 0])


def checkpoints(folder: Path) -> None:
    torch.manual_seed(0)
    state = SmallViewLightMapNet(48, (8, 12, 16)).state_dict()
    stored = {f"generator.{name}": value for name, value in state.items()}
    torch.save({"state_dict": stored, "meta": {"iter": 3}}, folder / "small.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": LightMapUNet(start="normal").state_dict()}, folder / "paper.pth")


def pairs(folder: Path) -> None:
    pair = {"embedding_prompt": torch.randn(2, 6, 8), "end": torch.tensor([5, 5])}
    torch.save(pair, folder / "a.pth")
    torch.save(pair, folder / "old.pth", _use_new_zipfile_serialization=False)


def residuals(folder: Path) -> None:
    origin = Provenance(
        clip="a CLIP",
        clip_fingerprint="0" * 16,
        estimator="mean",
        well_lit="a",
        backlit="b",
        well_lit_count=1,
        backlit_count=1,
        skipped=0,
        date="2026-11-26",
    )
    ResidualVector(torch.tensor([0.6, 0.8]), 0.5, origin).save(folder / "a.npz")


def embeddings(folder: Path) -> None:
    np.savez(folder / "a.npz", embeddings=np.ones((3, 4), np.float32))


def clip(folder: Path) -> None:
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision = CLIPVisionCfg(layers=1, width=64, head_width=64, patch_size=8, image_size=16)
    text = CLIPTextCfg(context_length=77, vocab_size=20, width=64, heads=1, layers=1)
    state = CLIP(8, vision, text, quick_gelu=True).state_dict()
    torch.save(state, folder / "a.pt")


_WRITERS: dict[str, Callable[[Path], None]] = {
    "photos": photos,
    "results": photos,
    "checkpoints": checkpoints,
    "pairs": pairs,
    "residuals": residuals,
    "embeddings": embeddings,
    "clip": clip,
}


def write_seeds(reader: str, folder: Path) -> list[Path]:
    """Good files for a reader."""
    folder.mkdir(parents=True, exist_ok=True)
    _WRITERS[reader](folder)
    return sorted(folder.iterdir())
