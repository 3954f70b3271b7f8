"""The app: page settings, navigation, warm-up. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.common.warmup import warm_up
from xdnn_core.io import ASSETS

st.set_page_config(page_title="X-DNN", page_icon=str(ASSETS / "icon.svg"), layout="wide")
warm_up()
st.logo(str(ASSETS / "logo.svg"), size="medium")
start = st.Page("pages/start.py", title="Start", icon=":material/home:", default=True)
compare = st.Page("pages/compare.py", title="Compare", icon=":material/compare:")
contrast = st.Page("pages/contrast.py", title="Contrast", icon=":material/contrast:")
convergence = st.Page("pages/convergence.py", title="Convergence", icon=":material/show_chart:")
axioms = st.Page("pages/axioms.py", title="Axioms", icon=":material/rule:")
priors = st.Page(
    "pages/prior_training.py", title="Prior training", icon=":material/model_training:"
)
results = st.Page("pages/results.py", title="Results", icon=":material/table_chart:")
page = st.navigation(
    {
        "": [start],
        "Look": [compare, contrast, convergence],
        "Check": [axioms, results],
        "Train": [priors],
    },
    position="top",
)
if page == start and st.query_params:  # Compare had the address / before, and links to it are kept
    st.switch_page(compare, query_params=st.query_params.to_dict())
page.run()
