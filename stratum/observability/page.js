"use strict";

// The server renders this page; here it is fetched again and the text that differs is changed in
// place, so that a selection, the scroll position and a screen reader stay where they are.

const PERIOD_MS = 2000;

function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const names = new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()]);
  for (const name of names) {
    const value = fresh.getAttribute(name);
    if (value === null) old.removeAttribute(name);
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, place) => {
    if (place < before.length) patch(before[place], child);
    else old.append(child);
  });
  before.slice(after.length).forEach((child) => child.remove());
}

async function refresh() {
  // Nobody looks at a hidden tab; the pool need not work for it.
  if (document.hidden) return;
  const lost = document.getElementById("lost");
  try {
    const here = location.pathname + location.search;
    const answer = await fetch(here, { signal: AbortSignal.timeout(5 * PERIOD_MS) });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    patch(document.getElementById("look"), fresh.getElementById("look"));
    document.title = fresh.title;
    lost.hidden = true;
  } catch (error) {
    // A server that is up says in words what is wrong; one that is down says nothing.
    const words = error.name === "Error" ? error.message : "The pool does not answer.";
    lost.textContent = `${words} What you see is old.`;
    lost.hidden = false;
  }
}

async function follow() {
  await refresh();
  setTimeout(follow, PERIOD_MS);
}

setTimeout(follow, PERIOD_MS);
