"""A strip of photographs to choose from: one click, or the arrow keys."""

from __future__ import annotations

import base64
import io

import streamlit as st

from xdnn_core.data.gallery import GalleryItem, gallery
from xdnn_core.data.uploads import UploadError

_KEY = "gallery_strip"
_SIDE = 112  # pixels; drawn at half of it on ordinary screens, sharp on dense ones

_CSS = """
.strip { display: flex; gap: 8px; overflow-x: auto; padding: 4px 2px 8px; scroll-padding: 40px;
  scrollbar-width: thin; }
.strip button { flex: 0 0 auto; width: 68px; height: 68px; padding: 0; border-radius: 10px;
  border: 2px solid transparent; background: none; cursor: pointer; overflow: hidden;
  outline-offset: 2px; }
.strip button:hover { border-color: var(--st-border-color); }
.strip button:focus-visible { outline: 2px solid var(--st-primary-color); }
.strip button[aria-pressed="true"] { border-color: var(--st-primary-color); }
.strip button { position: relative; }
.strip .mistaken::after { content: "≠"; content: "≠" / ""; position: absolute; right: 4px;
  bottom: 4px; width: 17px; height: 17px; border-radius: 50%;
  font: 700 12px/17px sans-serif; color: #fff;
  background: #b04a00; }
.strip img { width: 100%; height: 100%; display: block; border-radius: 7px; object-fit: cover; }
"""

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  let strip = parentElement.querySelector(".strip");
  if (strip.childElementCount !== data.items.length) {
    strip.replaceChildren(...data.items.map((item) => {
      const button = document.createElement("button");
      const image = document.createElement("img");
      image.src = item.src;
      image.alt = item.title;
      button.title = item.note || item.title;
      button.classList.toggle("mistaken", Boolean(item.note));
      button.dataset.key = item.key;
      button.append(image);
      return button;
    }));
  }
  const chosenNow = [...strip.children].find((button) => button.dataset.key === data.chosen);
  if (chosenNow) {
    // Not scrollIntoView: it would move the whole page too.
    const right = chosenNow.offsetLeft + chosenNow.offsetWidth - strip.offsetLeft;
    const end = strip.scrollLeft + strip.clientWidth;
    if (right > end) strip.scrollLeft += right + 40 - end;
  }
  for (const button of strip.children) {
    const chosen = button.dataset.key === data.chosen;
    button.setAttribute("aria-pressed", chosen);
    button.tabIndex = chosen || (!data.chosen && button === strip.firstChild) ? 0 : -1;
    button.onclick = () => setTriggerValue("picked", button.dataset.key);
    button.onkeydown = (event) => {
      const next = event.key === "ArrowRight" ? button.nextElementSibling
        : event.key === "ArrowLeft" ? button.previousElementSibling : null;
      if (next) { event.preventDefault(); next.focus(); }
    };
  }
}
"""

_strip = st.components.v2.component(
    "xdnn_gallery_strip",
    html='<div class="strip" role="group" aria-label="Photographs"></div>',
    css=_CSS,
    js=_JS,
)


def gallery_strip(chosen: str | None, problems: list[str]) -> str | None:
    """Draw the strip; returns the key of a photograph that was just clicked, else None."""
    # What was clicked is marked in this run already, not only in the next.
    clicked = st.session_state.get(_KEY, {}).get("picked")
    items = []
    for item in gallery():
        try:
            note = ""
            if item.mistaken_by:
                note = f"{item.title}: {item.mistaken_by} takes it for another class"
            items.append(
                {"key": item.key, "title": item.title, "note": note, "src": _thumbnail(item)}
            )
        except UploadError as error:
            problems.append(f"{item.key.removeprefix('own/')} cannot be shown: {error}")
    result = _strip(
        key=_KEY, data={"items": items, "chosen": clicked or chosen}, on_picked_change=lambda: None
    )
    return result.picked


@st.cache_data(show_spinner=False, hash_funcs={GalleryItem: lambda item: item.key})
def _thumbnail(item: GalleryItem) -> str:
    """A small WebP as a data URL."""
    buffer = io.BytesIO()
    item.thumbnail(_SIDE).save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
