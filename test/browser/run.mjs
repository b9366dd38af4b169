// Plays the story against a running server and prints one line of JSON a step:
// {"step", "ms", "error"}. TANDEM_SETUP is the one-time set-up address, TANDEM_FILES a
// folder for files to send, TANDEM_PICTURES (optional) where pictures go.

import { join } from 'node:path';
import { Stage } from './stage.mjs';
import { steps } from './story.mjs';

const setup = process.env.TANDEM_SETUP;
const stage = new Stage({ base: new URL(setup).origin, pictures: process.env.TANDEM_PICTURES });
const cast = { stage, setup, files: process.env.TANDEM_FILES };

let failed = false;
try {
  await stage.open();
  for (const [step, play] of steps) {
    const began = Date.now();
    let error;
    try {
      await play(cast);
      stage.settle();
    } catch (e) {
      error = e.stack ?? String(e);
      failed = true;
      await cast.ann?.screenshot({ path: join(cast.files, 'failed.png') }).catch(() => {});
    }
    console.log(JSON.stringify({ step, ms: Date.now() - began, error }));
    if (failed) break; // each step stands on those before
  }
} finally {
  await stage.close();
}
process.exitCode = failed ? 1 : 0;
