// Speaks a text with an OpenAI-compatible speech API, and lets browsers hear it while it is generated. Node 18 or later,
// without packages:
//
//     node speak.mjs STREAM_ID "A text."
//
// Environment: OPENAI_BASE_URL, OPENAI_API_KEY, ASF_URL and ASF_INTERNAL_API_TOKEN.

const { env } = process;
const speechUrl = `${env.OPENAI_BASE_URL ?? "https://api.openai.com/v1"}/audio/speech`;
const internalApi = `${env.ASF_URL ?? "http://127.0.0.1:5006"}/asf/internal`;
const authorization = env.ASF_INTERNAL_API_TOKEN ? { Authorization: `Bearer ${env.ASF_INTERNAL_API_TOKEN}` } : {};

/** Returns the response, or throws an error that says what the server said. */
async function request(url, { headers, ...options }) {
  const response = await fetch(url, { ...options, headers });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response;
}

function postJson(url, headers, content) {
  return request(url, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
}

/** Uploads the text as it is spoken. Returns ASF's answer: the stream's state, and how many bytes it has. */
async function speak(streamId, text) {
  const speech = await postJson(speechUrl, { Authorization: `Bearer ${env.OPENAI_API_KEY ?? ""}` }, {
    model: "gpt-4o-mini-tts",
    voice: "alloy",
    input: text,
    response_format: "mp3",
  });
  try {
    const uploaded = await request(`${internalApi}/streams/${encodeURIComponent(streamId)}/audio`, {
      method: "PUT",
      headers: { ...authorization, "Content-Type": "audio/mpeg" },
      body: speech.body, // a stream: each piece is sent when it arrives
      duplex: "half",
    });
    return await uploaded.json();
  } catch (error) {
    // Listeners get what there is, and then the reason.
    const failure = { stream_id: streamId, state: "failed", reason: `The voice failed: ${error.message}` };
    await postJson(`${internalApi}/notify_new_audio`, authorization, failure);
    throw error;
  }
}

const [streamId, text] = process.argv.slice(2);
console.log(JSON.stringify(await speak(streamId, text)));
