"""The app: page settings, navigation, warm-up. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.shared.warmup import warm_up

st.set_page_config(page_title="X-DNN", page_icon=":material/target:", layout="wide")
warm_up()
st.logo("assets/logo.svg", size="medium")
page = st.navigation(
    [st.Page("pages/compare.py", title="Compare", icon=":material/compare:", default=True)],
    position="top",
)
page.run()
