"""The app: page settings, navigation, warm-up. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.common.warmup import warm_up
from xdnn_core.io import ASSETS

st.set_page_config(page_title="X-DNN", page_icon=str(ASSETS / "icon.svg"), layout="wide")
warm_up()
st.logo(str(ASSETS / "logo.svg"), size="medium")
compare = st.Page(
    "pages/compare.py", title="Compare", icon=":material/compare:", url_path="start", default=True
)
contrast = st.Page("pages/contrast.py", title="Contrast", icon=":material/contrast:")
convergence = st.Page("pages/convergence.py", title="Convergence", icon=":material/show_chart:")
axioms = st.Page("pages/axioms.py", title="Axioms", icon=":material/rule:")
priors = st.Page(
    "pages/prior_training.py", title="Prior training", icon=":material/model_training:"
)
results = st.Page("pages/results.py", title="Results", icon=":material/table_chart:")


def to_compare() -> None:
    """The landing page has the address /; a link that names it leads there too."""
    st.switch_page(compare, query_params=st.query_params.to_dict())


alias = st.Page(to_compare, title="Compare", url_path="compare", visibility="hidden")
pages = [compare, contrast, convergence, axioms, priors, results, alias]
st.navigation(pages, position="top").run()
