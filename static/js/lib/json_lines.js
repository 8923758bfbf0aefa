/** A response whose lines are JSON values, each as soon as it is whole. */

/**
 * @param {Response} response
 * @returns {AsyncGenerator<any>}
 */
export async function* jsonLines(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line) yield JSON.parse(line);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
