"""`zhiyin demo`: a page in the browser that speaks what one types (Gradio)."""
