// Hears which second of a tone-coded clip is played: second n is a sine of 300 + 40 n Hz. It hears an element by Web
// Audio, or reports what ears.py hears at the sound device. Samples are looked at where they are rendered, as timers are
// late on a busy machine.
{
  const seen = { heard: [], silences: [], firstSoundAt: null };
  /** What the playback's clock said when each of `seen.heard` was first heard. */
  const clocks = [];
  /** The second that is heard now; null for silence. */
  let now = null;
  /** What was heard before `mark()` does not count. */
  let first = 0;
  let context = null;

  const PROCESSOR = `
    const [BASE, STEP, QUIET, GAP_SECONDS] = [300, 40, 1e-3, 0.05];

    function secondOf(samples) {
      const peak = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
      if (peak < QUIET) return null;
      let [isLow, rises, start, end] = [false, 0, 0, 0];
      for (let index = 1; index < samples.length; index += 1) {
        if (samples[index] < -0.25 * peak) isLow = true; // Noise also rises where the tone does not.
        else if (isLow && samples[index] >= 0) {
          isLow = false;
          rises += 1;
          end = index - samples[index] / (samples[index] - samples[index - 1]);
          if (rises === 1) start = end;
        }
      }
      const exact = (((rises - 1) * sampleRate) / (end - start) - BASE) / STEP;
      const second = Math.round(exact);
      return second >= 0 && Math.abs(exact - second) < 0.25 ? second : null;
    }

    registerProcessor("hearing", class extends AudioWorkletProcessor {
      tenth = new Float32Array(Math.round(sampleRate / 10));
      filled = 0;
      latest = null;
      second = null;
      silent = -Infinity;

      process([[samples = new Float32Array(128)]]) {
        for (const sample of samples) {
          this.countSilence(sample);
          this.tenth[this.filled] = sample;
          this.filled += 1;
          if (this.filled === this.tenth.length) this.look();
        }
        return true;
      }

      countSilence(sample) {
        if (Math.abs(sample) < QUIET) {
          this.silent += 1;
          return;
        }
        if (this.silent === -Infinity) this.port.postMessage({ isSound: true });
        else if (this.silent > GAP_SECONDS * sampleRate) this.port.postMessage({ silence: this.silent / sampleRate });
        this.silent = 0;
      }

      look() {
        this.filled = 0;
        const second = secondOf(this.tenth);
        // A tenth in which one tone follows another looks like a third one.
        if (second === this.latest && second !== this.second) this.port.postMessage({ second });
        if (second === this.latest) this.second = second;
        this.latest = second;
      }
    });`;

  const noteClocks = () => {
    while (clocks.length < seen.heard.length) clocks.push(window.playback?.progress.currentTime ?? null);
  };

  const load = ({ audioWorklet }) =>
    audioWorklet.addModule(URL.createObjectURL(new Blob([PROCESSOR], { type: "text/javascript" })));

  function hear(node) {
    const processor = new AudioWorkletNode(node.context, "hearing");
    processor.port.onmessage = ({ data: { isSound, silence, second } }) => {
      if (isSound) seen.firstSoundAt ??= performance.now();
      if (silence !== undefined) seen.silences.push(silence);
      if (second === undefined) return;
      now = second;
      if (second !== null && seen.heard.at(-1) !== second) seen.heard.push(second);
      noteClocks();
    };
    node.connect(processor).connect(node.context.destination);
  }

  /** To be called before anything is heard: nothing is missed while this is loaded. */
  window.prepareHearing = async () => {
    context = new AudioContext();
    await load(context);
  };

  /** Hears an element. To be called in a click. */
  window.hearElement = (element) => {
    resumeHearing();
    const node = context.createMediaElementSource(element);
    node.connect(context.destination);
    hear(node);
  };

  /** Hears a node of another context. */
  window.hearNode = async (node) => {
    node.connect(node.context.destination);
    await load(node.context);
    hear(node);
  };

  /** Reports what `ears.py` hears, which serves that at a URL. */
  window.hearDevice = async (url) => {
    await fetch(`${url}/reset`);
    (async () => {
      for (;;) {
        try {
          const { second, heard, silences, firstSoundAt } = await (await fetch(url)).json();
          now = second;
          Object.assign(seen, { heard, silences, firstSoundAt: firstSoundAt && firstSoundAt - performance.timeOrigin });
          noteClocks();
        } catch {
          // The page has been away for a while.
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
  };

  /** To be called in a click, where `hearElement` was not. */
  window.resumeHearing = () => context?.resume();

  window.heardSecond = () => now;
  window.mark = () => (first = seen.heard.length);
  window.marked = () => first;

  /** Whether one of these seconds was heard since the mark, and the clock was right by so many seconds. */
  window.wasHeard = (from, to, clockSeconds = Infinity) =>
    seen.heard.some((second, index) =>
      index >= first && second >= from && second <= to &&
      (clockSeconds === Infinity || Math.abs((clocks[index] ?? Infinity) - second - 0.5) < clockSeconds));

  window.seen = seen;
}
