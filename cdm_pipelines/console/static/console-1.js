// Keys of the review page, focus after a part was replaced, and the box of the first page. Pages can be read without.
"use strict";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return; // a key held down decides one case
  const at = event.target;
  if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) {
    if (event.key === "Escape") at.blur();
    return;
  }
  if (event.key === "/") {
    const box = document.querySelector("input[type=search]");
    if (box instanceof HTMLElement) { event.preventDefault(); box.focus(); }
    return;
  }
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (button instanceof HTMLElement && !button.hasAttribute("disabled")) { event.preventDefault(); button.click(); }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form instanceof HTMLFormElement && form.dataset.once !== undefined) {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  }
});
document.addEventListener("change", (event) => {
  const at = event.target;
  if (at instanceof HTMLSelectElement && at.dataset.send !== undefined && at.form) at.form.requestSubmit();
});
document.addEventListener("htmx:after:swap", (event) => {
  const heading = document.querySelector("#desk [data-focus]");
  const next = event.target instanceof Element && event.target.id === "desk";
  if (next && heading instanceof HTMLElement) heading.focus({ preventScroll: true });
});
