// Rules and lines in the part of the address that a browser sends to nobody.

const FORM = "1.";

async function through(bytes, stream) {
  const piped = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

export async function packed(rules, lines) {
  const text = new TextEncoder().encode(JSON.stringify([rules, lines]));
  const bytes = await through(text, new CompressionStream("deflate-raw"));
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return FORM + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// Rules and lines, or null if the address holds none that can be read.
export async function unpacked(hash) {
  if (!hash.startsWith(FORM)) return null;
  try {
    const binary = atob(hash.slice(FORM.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const text = await through(bytes, new DecompressionStream("deflate-raw"));
    const both = JSON.parse(new TextDecoder().decode(text));
    const isText = (part) => typeof part === "string";
    return Array.isArray(both) && both.length === 2 && both.every(isText) ? both : null;
  } catch {
    return null;
  }
}
