import type { About } from "./about.js";
import { adoptStyles, element, icon, ICONS, setText } from "./dom.js";
import { controlOf, keyAction, type KeyAction } from "./keys.js";
import { SKIP_SECONDS } from "./media-session.js";
import type { PlayerView } from "./model.js";
import { STYLES } from "./styles.js";
import { TRANSCRIPT_STYLES } from "./transcript-styles.js";
import { LABELS } from "./words.js";

/** Speeds that are offered. */
const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

/** What the user wants. */
export interface ControlsHost {
  /** The main button was pressed. Called in the handler of the event, as browsers require for playing. */
  toggle(): void;
  /** Plays again after a failure. */
  retry(): void;
  skip(seconds: number): void;
  seek(seconds: number): void;
  /** The slider is being dragged to that time; null: no longer. */
  drag(seconds: number | null): void;
  goLive(): void;
  setSpeed(speed: number): void;
  setVolume(volume: number): void;
  setMuted(muted: boolean): void;
  key(action: KeyAction): void;
}

/** Sound of a player. */
export interface Sound {
  speed: number;
  volume: number;
  muted: boolean;
}

/** The controls of a player, in its shadow tree. */
export class Controls {
  readonly #cover = element("img", "cover", { alt: "", decoding: "async", loading: "lazy", referrerpolicy: "no-referrer", hidden: "" });
  readonly #title = element("p", "title", { dir: "auto" });
  readonly #artist = element("p", "artist", { dir: "auto" });
  readonly #live = element("span", "live", { hidden: "" }, LABELS.live);
  readonly #status = element("p", "status", { role: "status", "aria-live": "polite" });
  readonly #reason = element("span", "reason");
  readonly #retry = element("button", "retry", { type: "button" }, LABELS.retry);
  readonly #problem = element("div", "problem", { hidden: "" }, element("span", "", { role: "alert" }, this.#reason), this.#retry);
  readonly #elapsed = element("span", "elapsed");
  readonly #position = element("input", "position", { type: "range", min: "0", max: "1", step: "1", value: "0", "aria-label": LABELS.position });
  readonly #duration = element("span", "duration");
  readonly #back = button("back", LABELS.back, icon(ICONS.back));
  readonly #play = button("play", LABELS.play);
  readonly #forward = button("forward", LABELS.forward, icon(ICONS.forward));
  readonly #goLive = element("button", "go-live", { type: "button", hidden: "" }, LABELS.goLive);
  readonly #speed = element("select", "speed", { "aria-label": LABELS.speed });
  readonly #mute = button("mute", LABELS.mute);
  readonly #volume = element("input", "volume", { type: "range", min: "0", max: "1", step: "0.05", value: "1", "aria-label": LABELS.volume });
  readonly #container = element("div", "container", { role: "group" });
  readonly #drawings = { play: icon(ICONS.play), pause: icon(ICONS.pause), sound: icon(ICONS.sound), silence: icon(ICONS.silence) };

  /** @param below what is shown below the controls. */
  constructor(root: ShadowRoot, host: ControlsHost, below: HTMLElement) {
    adoptStyles(root, STYLES + TRANSCRIPT_STYLES);
    this.#speed.append(...SPEEDS.map((speed) => element("option", "", { value: String(speed) }, `${speed}×`)));
    this.#container.append(
      element("div", "head", {}, this.#cover, element("div", "names", {}, this.#title, this.#artist), this.#live),
      element("div", "timeline", {}, this.#elapsed, this.#position, this.#duration),
      element(
        "div", "controls", {},
        this.#back, this.#play, this.#forward, this.#speed,
        element("div", "sound", {}, this.#mute, this.#volume),
      ),
      element("div", "foot", {}, this.#status, this.#goLive),
      this.#problem,
      below,
    );
    root.append(this.#container);
    this.#listen(host);
  }

  /** Shows a view. */
  render(view: PlayerView): void {
    const { position } = view;
    draw(this.#play, this.#drawings[view.action]);
    label(this.#play, view.actionLabel);
    this.#play.disabled = !view.canPlay;
    this.#container.toggleAttribute("data-busy", view.isBusy);
    setText(this.#status, view.status);
    this.#hide(this.#problem, view.problem === null);
    setText(this.#reason, view.problem ?? "");
    this.#live.hidden = !view.isLive;
    this.#hide(this.#goLive, !view.canGoLive);
    setText(this.#elapsed, view.elapsed);
    setText(this.#duration, view.duration);
    this.#position.max = String(Math.max(position.end, 1));
    this.#position.value = String(position.value);
    // Screen readers may announce it each time it is set.
    if (this.#position.getAttribute("aria-valuetext") !== position.text) this.#position.setAttribute("aria-valuetext", position.text);
    for (const control of [this.#position, this.#back, this.#forward]) control.disabled = !position.enabled;
  }

  /** Shows the sound. */
  renderSound({ speed, volume, muted }: Sound): void {
    this.#speed.value = String(speed);
    this.#volume.value = String(muted ? 0 : volume);
    this.#volume.setAttribute("aria-valuetext", `${Math.round(muted ? 0 : volume * 100)} %`);
    draw(this.#mute, muted ? this.#drawings.silence : this.#drawings.sound);
    label(this.#mute, muted ? LABELS.unmute : LABELS.mute);
  }

  /** Shows what is played, as text. The cover is loaded if `withCover`: not before the audio, whose way it may share. */
  renderAbout({ title, artist, album, artwork }: About, withCover: boolean): void {
    setText(this.#title, title);
    setText(this.#artist, [artist, album].filter((part) => part !== "").join(" · "));
    this.#container.setAttribute("aria-label", title === "" ? LABELS.player : `${LABELS.player}: ${title}`);
    if (artwork === "") {
      this.#cover.hidden = true;
      this.#cover.removeAttribute("src");
    } else if (withCover && this.#cover.getAttribute("src") !== artwork) {
      this.#cover.hidden = false; // An image that is not shown is not loaded.
      this.#cover.src = artwork;
    }
  }

  #listen(host: ControlsHost): void {
    const position = this.#position;
    this.#play.addEventListener("click", () => host.toggle());
    this.#retry.addEventListener("click", () => host.retry());
    this.#back.addEventListener("click", () => host.skip(-SKIP_SECONDS));
    this.#forward.addEventListener("click", () => host.skip(SKIP_SECONDS));
    this.#goLive.addEventListener("click", () => host.goLive());
    position.addEventListener("input", () => host.drag(Number(position.value)));
    position.addEventListener("change", () => {
      host.drag(null);
      host.seek(Number(position.value));
    });
    this.#speed.addEventListener("change", () => host.setSpeed(Number(this.#speed.value)));
    this.#mute.addEventListener("click", () => host.setMuted(this.#mute.getAttribute("aria-label") === LABELS.mute));
    this.#volume.addEventListener("input", () => {
      host.setMuted(false);
      host.setVolume(Number(this.#volume.value));
    });
    this.#cover.addEventListener("error", () => (this.#cover.hidden = true));
    this.#container.addEventListener("keydown", (event) => {
      const action = keyAction(event, controlOf(event.composedPath()[0], position));
      if (action === null) return;
      event.preventDefault();
      host.key(action);
    });
  }

  /** Hides an element; the focus that is in it goes to the main button rather than to the page. */
  #hide(control: HTMLElement, hidden: boolean): void {
    const hasFocus = hidden && control.contains((control.getRootNode() as ShadowRoot).activeElement);
    control.hidden = hidden;
    if (hasFocus) this.#play.focus();
  }
}

function button(part: string, text: string, ...children: Node[]): HTMLButtonElement {
  return element("button", part, { type: "button", "aria-label": text, title: text }, ...children);
}

function draw(control: HTMLElement, drawing: SVGElement): void {
  if (control.firstChild !== drawing) control.replaceChildren(drawing);
}

function label(control: HTMLElement, text: string): void {
  if (control.getAttribute("aria-label") === text) return;
  control.setAttribute("aria-label", text);
  control.title = text;
}
