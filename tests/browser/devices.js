// Makes this browser a phone, for what matters to sound. The page's query names it:
// device=old: without Media Source, as iPhones before iOS 17.1; device=managed: with ManagedMediaSource only, as later ones.
// Both let an element or an AudioContext sound only after it was started in a user's click, as WebKit does.
{
  const device = new URLSearchParams(location.search).get("device");
  window.fedTooEarly = 0;

  function onlyInClicks() {
    let inClick = false;
    const started = new WeakSet();
    addEventListener("click", ({ isTrusted }) => {
      inClick = isTrusted;
      setTimeout(() => (inClick = false));
    }, true);
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function () {
      if (inClick) started.add(this);
      if (!started.has(this)) return Promise.reject(new DOMException("Not in a click.", "NotAllowedError"));
      return play.call(this);
    };
    window.AudioContext = class extends AudioContext {
      constructor(options) {
        super(options);
        if (inClick) started.add(this);
        else super.suspend();
      }

      resume() {
        if (inClick) started.add(this);
        return started.has(this) ? super.resume() : new Promise(() => {});
      }
    };
  }

  // What iPhones do, where the engine has no ManagedMediaSource itself.
  function emulateManaged() {
    const Plain = window.MediaSource;
    const urls = new Map();
    const { createObjectURL } = URL;
    URL.createObjectURL = (object) => {
      const url = createObjectURL(object);
      if (object instanceof Managed) urls.set(url, object);
      return url;
    };
    class Managed extends Plain {
      streaming = false;
      element = null;

      manage() {
        const manage = () => {
          if (this.readyState === "closed" || this.element === null) return;
          const { buffered, currentTime } = this.element;
          const ahead = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime;
          if (this.streaming ? ahead < 20 : ahead > 8) return;
          this.streaming = !this.streaming;
          this.dispatchEvent(new Event(this.streaming ? "startstreaming" : "endstreaming"));
        };
        this.addEventListener("sourceopen", manage);
        setInterval(manage, 50);
      }

      addSourceBuffer(type) {
        const buffer = super.addSourceBuffer(type);
        const append = buffer.appendBuffer;
        buffer.appendBuffer = (bytes) => {
          if (!this.streaming && !this.element.seeking && bytes.byteLength > 5000) window.fedTooEarly += 1;
          append.call(buffer, bytes);
        };
        return buffer;
      }
    }
    const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
    Object.defineProperty(HTMLMediaElement.prototype, "src", { get, set(url) {
      const source = urls.get(url);
      if (source !== undefined && this.disableRemotePlayback !== true) return; // It would not open.
      set.call(this, url);
      if (source === undefined) return;
      source.element = this;
      source.manage();
    } });
    window.ManagedMediaSource = Managed;
  }

  if (device === "managed" && window.ManagedMediaSource === undefined) emulateManaged();
  if (device !== null) {
    delete window.MediaSource;
    if (device === "old") delete window.ManagedMediaSource;
    onlyInClicks();
  }
}
