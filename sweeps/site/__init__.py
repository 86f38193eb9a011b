"""The site: html that needs no network and no script; figures are inline SVG, texts are escaped by Jinja2.

Reading order: report (which pages) · experiment (one experiment's) · grid (tables) · provenance (which runs stand
behind a number) · vector (figures) · findings (markdown) · rendering (templates).
"""
