"""Choose the photograph: gallery, own file, or camera. All pages that attribute an image use it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from pages.shared.address import read
from pages.shared.errors import for_screen
from pages.shared.gallery_strip import gallery_strip
from xdnn_core.data.gallery import gallery, gallery_problems
from xdnn_core.data.uploads import UploadError, read_photo

FIRST = "camera"
OWN = "own"  # in the address: a photograph of the user's own, which no link can carry


@dataclass(frozen=True)
class Photo:
    """The photograph of the page.

    Attributes
    ----------
    image
        RGB, upright.
    key
        Key in the gallery; None for the user's own.
    title
        What to call it.
    digest
        Names its pixels.
    """

    image: Image.Image
    key: str | None
    title: str
    digest: str


def choose_photo() -> Photo:
    """Draw the choice and return the photograph; the last good one where an upload fails."""
    strip, own = st.columns([1, 0.22], vertical_alignment="center", wrap=True)
    with own, st.container(horizontal=True, gap="small"):
        _own_photo()
    with strip:
        current = st.session_state.get("photo") or _from_address()
        picked = gallery_strip(current.key)
    if picked and picked != current.key:
        current = _open(picked)
        st.session_state["class"] = None
    for problem in gallery_problems():
        st.caption(for_screen(problem))
    st.session_state["photo"] = current
    st.query_params["image"] = current.key or OWN
    return current


def _from_address() -> Photo:
    """The photograph the link names, else the first of the gallery."""
    keys = [item.key for item in gallery()]
    asked = read("image", keys.__contains__)
    return _open(asked or (FIRST if FIRST in keys else keys[0]))


@st.cache_resource(max_entries=32, show_spinner=False)
def _open(key: str) -> Photo:
    """Decode a photograph of the gallery."""
    item = next(item for item in gallery() if item.key == key)
    return _photo(item.open(), key, item.title)


def _photo(image: Image.Image, key: str | None, title: str) -> Photo:
    digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
    return Photo(image, key, title, digest)


def _own_photo() -> None:
    """Upload and camera; a new file replaces the photograph once."""
    with st.popover("Your photo", icon=":material/upload:", width="stretch"):
        uploaded = st.file_uploader(
            "JPEG, PNG or WebP, up to 10 MB",
            type=["jpg", "jpeg", "png", "webp"],
            max_upload_size=10,
            key="upload",
        )
        taken = None
        if st.toggle("Use the camera", key="camera_on"):
            taken = st.camera_input("Take a photo", key="camera")
        for given in (uploaded, taken):
            if given is not None:
                _take(given.getvalue(), given.file_id)


def _take(data: bytes, identity: str) -> None:
    """Read a new file; the sentence stays below the uploader until another one comes."""
    if st.session_state.get("photo_file") != identity:
        st.session_state["photo_file"] = identity
        st.session_state["photo_problem"] = None
        try:
            st.session_state["photo"] = _photo(read_photo(data), None, "Your photo")
            st.session_state["class"] = None
        except UploadError as error:
            st.session_state["photo_problem"] = str(error)
    if st.session_state.get("photo_problem"):
        st.warning(st.session_state["photo_problem"], icon=":material/image_not_supported:")
