"""The handbook's machinery: pages and pictures that are derived from the code, and the checks of all pages.

Belongs here: what keeps `docs/` true. Does not belong here: what a page says (docs), or anything that a run needs: the
package is not in the wheel.
"""
