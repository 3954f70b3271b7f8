"""Choose the photograph: gallery, own file, or camera. All pages that attribute an image use it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import streamlit as st
from PIL import Image
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.common.address import read
from pages.common.errors import for_screen
from pages.common.gallery_strip import gallery_strip
from pages.common.uploads import read_once
from xdnn_core.data.gallery import gallery, gallery_problems
from xdnn_core.data.uploads import MAX_MEGABYTES, UploadError, read_photo

FIRST = "rooster"
OWN = "own"  # in the address: a photograph of the user's own, which no link can carry


@dataclass(frozen=True)
class Photo:
    """The photograph of the page."""

    image: Image.Image  # RGB, upright
    key: str | None  # key in the gallery; None for the user's own
    title: str  # what to call it
    digest: str  # names its pixels


def choose_photo() -> Photo:
    """Draw the choice and return the photograph; the last good one where another fails."""
    strip, own = st.columns([1, 0.28], vertical_alignment="center", wrap=True)
    with own, st.container(horizontal=True, gap="small"):
        _own_photo()
    problems = gallery_problems()
    with strip:
        current = st.session_state.get("photo") or _from_address(problems)
        picked = gallery_strip(current.key, problems)
    if picked and picked != current.key:
        chosen = _opened(picked, problems)
        if chosen is not None:
            current = chosen
            st.session_state["class"] = None
    for problem in dict.fromkeys(problems):
        st.caption(for_screen(problem))
    st.session_state["photo"] = current
    st.query_params["image"] = current.key or OWN
    return current


def _from_address(problems: list[str]) -> Photo:
    """The photograph the link names, else the first of the gallery that opens."""
    keys = [item.key for item in gallery()]
    preferred = [key for key in (read("image", keys.__contains__), FIRST) if key in keys]
    for key in dict.fromkeys(preferred + keys):
        photo = _opened(key, problems)
        if photo is not None:
            return photo
    sentences = ["No photograph of the gallery can be shown.", *map(for_screen, problems)]
    st.error("\n\n".join(sentences))
    st.stop()


def _opened(key: str, problems: list[str]) -> Photo | None:
    """A photograph of the gallery; None, with a sentence more, where it fails by now."""
    try:
        return _open(key)
    except UploadError as error:
        problems.append(f"{key.removeprefix('own/')} cannot be shown: {error}")
        return None


def gallery_photo(key: str) -> Photo:
    """A photograph of the gallery, decoded once."""
    return _open(key)


# A photograph of the user's folder may take 16 MB.
@st.cache_resource(max_entries=8, show_spinner=False)
def _open(key: str) -> Photo:
    """Decode a photograph of the gallery."""
    item = next((item for item in gallery() if item.key == key), None)
    if item is None:
        raise UploadError("It is no longer in the gallery; choose another.")
    return _photo(item.open(), key, item.title)


def _photo(image: Image.Image, key: str | None, title: str) -> Photo:
    digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
    return Photo(image, key, title, digest)


def _own_photo() -> None:
    """Upload and camera; a new file replaces the photograph once."""
    with st.popover("Your photo", icon=":material/upload:", width="stretch"):
        uploaded = st.file_uploader(
            f"JPEG, PNG or WebP, up to {MAX_MEGABYTES} MB",
            type=["jpg", "jpeg", "png", "webp"],
            max_upload_size=MAX_MEGABYTES,
            key="upload",
        )
        _take(uploaded, "upload")
        if st.toggle("Use the camera", key="camera_on"):
            _take(st.camera_input("Take a photo", key="camera"), "camera")


def _take(file: UploadedFile | None, widget: str) -> None:
    """Make a new file the photograph; say below it what is wrong with it."""
    photo, problem = read_once(
        file, widget, lambda file: _photo(read_photo(file.getvalue()), None, "Your photo")
    )
    if photo is not None:
        st.session_state["photo"] = photo
        st.session_state["class"] = None
    if problem:
        st.warning(for_screen(problem), icon=":material/image_not_supported:")
