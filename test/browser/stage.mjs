// The stage: Debian's Chromium with fresh profiles, what every page is held
// against, and the pictures.

import { chromium } from 'playwright-core';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export class Stage {
  constructor({ base, pictures }) {
    Object.assign(this, { base, pictures, complaints: [], seen: new Set() });
    if (pictures) mkdirSync(pictures, { recursive: true });
  }

  async open() {
    this.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  }

  async close() {
    await this.browser?.close();
  }

  // person opens a fresh profile. What its pages complain of (errors of scripts, refusals of the
  // content policy, alerts) fails the step that runs.
  async person(options = {}) {
    const context = await this.browser.newContext({
      baseURL: this.base, viewport: { width: 1200, height: 800 }, locale: 'en-GB', timezoneId: 'Europe/Berlin',
      permissions: ['clipboard-read', 'clipboard-write'], ...options,
    });
    context.setDefaultTimeout(15000);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`script error: ${error.message}`));
    page.on('dialog', (dialog) => {
      if (dialog.type() !== 'beforeunload') this.complaints.push(`the page says ${dialog.message()}`);
      dialog.accept();
    });
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !text.startsWith('Failed to load resource')) this.complaints.push(`console: ${text}`);
    });
    return page;
  }

  settle() {
    const all = this.complaints.splice(0);
    if (all.length > 0) throw new Error(all.join('\n'));
  }

  // look holds what is on the page against axe in light and dark and against the width of a
  // phone, and takes a picture when it has a name in pictures.
  async look(page, name, picture) {
    this.seen.add(name);
    await page.evaluate(axe);
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); }));
      const rules = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}; // the others do not see colours
      const found = await page.evaluate((r) => globalThis.axe.run({ resultTypes: ['violations'], ...r }), rules);
      for (const v of found.violations) {
        this.complaints.push(`${name}, ${colorScheme}: ${v.id}: ${v.help}\n  ${v.nodes.map((n) => `${n.html}\n    ${n.failureSummary}`).join('\n  ')}`);
      }
      if (picture) await this.picture(page, colorScheme === 'dark' ? `${picture}-dark` : picture);
    }
    const before = page.viewportSize();
    await page.setViewportSize({ width: 360, height: 740 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 360) this.complaints.push(`${name}: ${width} pixels wide on a phone of 360`);
    if (picture) await this.picture(page, `${picture}-phone`);
    await page.setViewportSize(before);
    this.settle();
  }

  async picture(page, name) {
    if (!this.pictures) return;
    await page.screenshot({ path: join(this.pictures, `${name}.png`), animations: 'disabled', caret: 'hide' });
  }
}

// what a download holds, as SHA-256.
export async function downloaded(page, act) {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return sum(readFileSync(await download.path()));
}

export function sum(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

export function equal(got, want, what) {
  if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export function holds(condition, what) {
  if (!condition) throw new Error(`it does not hold that ${what}`);
}
