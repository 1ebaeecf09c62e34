/**
 * Styles of the player. A page changes the colours by the custom properties that begin with --asf-, and everything else
 * by `::part(…)`. Sizes are in rem, so they follow the listener's font size.
 */
export const STYLES = `
:host {
  --_background: var(--asf-background, #ffffff);
  --_text: var(--asf-text, #1d1f1e);
  --_quiet: var(--asf-quiet, #5c605d);
  --_line: var(--asf-line, #dedbd3);
  --_accent: var(--asf-accent, #0c7a6b);
  --_on-accent: var(--asf-on-accent, #ffffff);
  --_tint: var(--asf-tint, #dff1ed);
  --_live: var(--asf-live, #ad1f2d);
  --_bad: var(--asf-bad, #ad1f2d);
  --_bad-tint: var(--asf-bad-tint, #fde6e6);
  display: block;
  container-type: inline-size;
  min-width: 15rem;
  color: var(--_text);
  font: var(--asf-font, 0.9375rem/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif);
  font-variant-numeric: tabular-nums;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :host {
    --_background: var(--asf-background, #1b201e);
    --_text: var(--asf-text, #ebefec);
    --_quiet: var(--asf-quiet, #a3aea8);
    --_line: var(--asf-line, #303733);
    --_accent: var(--asf-accent, #4fd1b8);
    --_on-accent: var(--asf-on-accent, #06231e);
    --_tint: var(--asf-tint, #12352f);
    --_live: var(--asf-live, #ff9a9a);
    --_bad: var(--asf-bad, #ff9a9a);
    --_bad-tint: var(--asf-bad-tint, #401d20);
    color-scheme: dark;
  }
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
p { margin: 0; }

#container {
  padding: 0.875rem;
  border: 1px solid var(--_line);
  border-radius: var(--asf-radius, 0.9rem);
  background: var(--_background);
}
#head { display: flex; align-items: center; gap: 0.75rem; }
#cover { flex: none; width: 4rem; height: 4rem; border-radius: 0.5rem; object-fit: cover; background: var(--_tint); }
#names { flex: 1; min-width: 0; }
#title, #artist { overflow: hidden; text-overflow: ellipsis; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow-wrap: anywhere; unicode-bidi: plaintext; }
#title { font-weight: 650; font-size: 1.0625em; line-height: 1.3; }
#artist { -webkit-line-clamp: 1; color: var(--_quiet); font-size: 0.875em; }
#head:not(:has(> :not([hidden]):not(#names))):has(#title:empty):has(#artist:empty) { display: none; }

/* Controls of audio keep their direction where the page's text runs from right to left. */
#timeline, #controls { direction: ltr; }
#timeline { display: flex; align-items: center; gap: 0.6rem; color: var(--_quiet); font-size: 0.8125em; }
#position { flex: 1; min-width: 4rem; }
#elapsed, #duration { min-width: 2.4em; }
#duration { text-align: end; }

#controls { display: flex; align-items: center; flex-wrap: wrap; gap: 0.25rem 0.35rem; }
#sound { display: flex; align-items: center; margin-inline-start: auto; }
#volume { width: 6rem; }

button, select {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  min-width: 2.75rem;
  min-height: 2.75rem;
  margin: 0;
  padding: 0;
  border: 1px solid transparent;
  border-radius: 0.6rem;
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
select { padding: 0 0.25rem; font-size: 0.8125em; background: var(--_background); }
option { background: var(--_background); color: var(--_text); }
button:hover:not(:disabled), select:hover { background: var(--_tint); }
button:disabled { opacity: 0.45; cursor: default; }
button svg { width: 1.6rem; height: 1.6rem; pointer-events: none; }
#play { width: 3.25rem; height: 3.25rem; border-radius: 50%; background: var(--_accent); color: var(--_on-accent); }
#play:hover:not(:disabled) { background: var(--_accent); filter: brightness(1.08); }
#retry { padding: 0 0.9rem; border-color: currentColor; font-weight: 600; white-space: nowrap; }
#live { min-width: 0; padding: 0.1rem 0.55rem; border-radius: 1rem; border: 1px solid var(--_live); color: var(--_live); font-size: 0.75em; font-weight: 650; white-space: nowrap; }
#live::before { content: ""; display: inline-block; width: 0.5em; height: 0.5em; margin-inline-end: 0.4em; border-radius: 50%; background: currentColor; }
#go-live { padding: 0 0.7rem; border-color: var(--_line); font-size: 0.8125em; font-weight: 600; white-space: nowrap; }
input { height: 2.75rem; margin: 0; accent-color: var(--_accent); cursor: pointer; }
input:disabled { cursor: default; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }

#foot { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; margin-top: 0.25rem; }
#status { color: var(--_quiet); font-size: 0.8125em; min-height: 1.4em; }
#problem { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; margin-top: 0.5rem; padding: 0.5rem 0.75rem; border-radius: 0.6rem; background: var(--_bad-tint); color: var(--_bad); font-size: 0.9375em; }
#reason { overflow-wrap: anywhere; }
#container[data-busy] #play svg { animation: breathe 1.2s ease-in-out infinite; }
@keyframes breathe { 50% { opacity: 0.4; } }

@container (max-width: 26rem) {
  #volume { display: none; }
}
@container (max-width: 20rem) {
  #cover { width: 3rem; height: 3rem; }
  #problem { flex-wrap: wrap; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  #play, #go-live, #live { border: 1px solid; }
}
`;
