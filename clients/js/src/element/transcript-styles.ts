/** Styles of the transcript and the chapters. */
export const TRANSCRIPT_STYLES = `
#transcript { margin-top: 0.6rem; padding-top: 0.4rem; border-top: 1px solid var(--_line); }
#chapters > summary { display: flex; align-items: center; gap: 0.4rem; min-height: 2.75rem; padding: 0 0.35rem; border-radius: 0.6rem; font-size: 0.875em; font-weight: 600; cursor: pointer; list-style: none; }
#chapters > summary::-webkit-details-marker { display: none; }
#chapters > summary::before { content: "▸"; color: var(--_quiet); }
#chapters[open] > summary::before { content: "▾"; }
#chapter-list, #lines { margin: 0; padding: 0; list-style: none; }
#chapter-list { max-height: var(--asf-chapters-height, 12rem); margin-bottom: 0.5rem; overflow-y: auto; }
.chapter { justify-content: flex-start; gap: 0.75rem; width: 100%; padding: 0.35rem; text-align: start; font-size: 0.875em; }
.chapter-time { flex: none; min-width: 2.8em; color: var(--_quiet); }
.chapter-name { min-width: 0; overflow-wrap: anywhere; }
.chapter[aria-current] { background: var(--_tint); color: var(--_text); font-weight: 600; }
.chapter[aria-current] .chapter-time { color: inherit; }
#lines { position: relative; max-height: var(--asf-transcript-height, 15rem); overflow-y: auto; overflow-anchor: none; overscroll-behavior: contain; }
.line { padding: 0.3rem 0.35rem; border-radius: 0.6rem; overflow-wrap: anywhere; color: var(--_quiet); cursor: pointer; }
.line:hover { background: var(--_tint); color: var(--_text); }
.line[aria-current] { color: var(--_text); }
.line:focus-visible { outline-offset: -2px; }
.word { border-radius: 0.25rem; }
.word:hover { text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 0.2em; }
.word.active { background: var(--_accent); color: var(--_on-accent); box-shadow: 0 0 0 0.12em var(--_accent); }
#follow { margin-top: 0.35rem; padding: 0 0.7rem; border-color: var(--_line); font-size: 0.8125em; font-weight: 600; }
@media (forced-colors: active) {
  .word.active { background: Highlight; color: HighlightText; forced-color-adjust: none; }
  #follow, .chapter[aria-current], .line[aria-current] { border: 1px solid; }
}
`;
