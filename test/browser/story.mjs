// The story: a server is set up, used, shared from, and joined by a second person.
// Each step stands on those before.

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { downloaded, equal, holds, sum } from './stage.mjs';
import { more } from './more.mjs';

const password = 'correct horse battery';
const team = '/c/Design%20team';

async function row(page, name) {
  const link = page.locator('#rows tr').filter({ has: page.getByRole('link', { name, exact: true }) });
  await link.waitFor();
  return link;
}

async function menu(page, name, entry) {
  await page.getByLabel(`More for ${name}`, { exact: true }).click();
  await page.locator('details.menu[open]').getByText(entry).click();
}

async function drop(page, name, text) {
  const data = await page.evaluateHandle(([n, t]) => {
    const d = new DataTransfer();
    d.items.add(new File([t], n, { lastModified: 1700000000000 }));
    return d;
  }, [name, text]);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: data });
  holds(await page.locator('.drop-hint').isVisible(), 'the page says that files may be dropped');
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  holds(!await page.locator('.drop-hint').isVisible(), 'the page no longer says so');
}

async function allDone(page, n) {
  await page.locator('#transfers-status', { hasText: `${n} of ${n} done` }).waitFor();
}

async function makeFolder(page, name) {
  await page.getByRole('link', { name: 'New folder' }).click();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
}

export const steps = [
  ['the first to come sets the server up', async (c) => {
    const page = c.ann = await c.stage.person();
    await page.goto(c.setup);
    await c.stage.look(page, 'set-up', 'setup');
    await page.getByLabel('Your name').fill('ann');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(password);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    await c.stage.look(page, 'start, with nothing');
  }],

  ['she signs out and in again', async (c) => {
    const page = c.ann;
    await page.getByLabel('Account of ann').click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await c.stage.look(page, 'login', 'login');
    await page.getByLabel('Name').fill('ann');
    await page.getByLabel('Password').fill('not it');
    await page.keyboard.press('Enter');
    await page.getByText('Name or password is not right.').waitFor();
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Files' }).waitFor();
  }],

  ['she makes a collection and folders', async (c) => {
    const page = c.ann;
    await page.getByRole('link', { name: 'New collection' }).first().click();
    await page.locator('dialog[open]').waitFor();
    await c.stage.look(page, 'new collection, in a dialog');
    await page.getByLabel('Name', { exact: true }).fill('../etc');
    await page.keyboard.press('Enter');
    await page.locator('dialog[open] .complaint').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('Design team');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${team}`);
    await c.stage.look(page, 'an empty folder');
    for (const name of ['Photographs', 'Spring campaign']) {
      await makeFolder(page, name);
      await page.goto(team);
      await row(page, name);
    }
  }],

  ['names that are markup are text', async (c) => {
    const page = c.ann;
    const odd = ['<img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', '<b>bold<\u2215b>', "';alert(1)--", '${alert(1)}', 'שלום.txt'];
    for (const name of odd) {
      await page.goto(`${team}/Spring%20campaign`);
      await makeFolder(page, name);
    }
    await drop(page, '<script>alert(1)<\u2215script>.txt', 'dropped');
    await allDone(page, 1);
    await page.goto(`${team}/Spring%20campaign`);
    for (const name of odd) await row(page, name);
    await c.stage.look(page, 'odd names');
    await menu(page, odd[0], 'Rename or move');
    await page.locator('dialog[open]').waitFor();
    await c.stage.look(page, 'an odd name, in a dialog');
    await page.keyboard.press('Escape');
    await menu(page, odd[1], 'Delete');
    await page.getByText(`Deleted ${odd[1]}.`).waitFor();
    await page.goto(`/search?q=${encodeURIComponent('alert(1)')}`);
    await page.getByRole('link', { name: odd[0] }).waitFor();
    equal(await page.locator('main img, main b, main svg svg, main script').count(), 0, 'names that became elements');
    await page.goto(team);
  }],

  ['files are chosen and dropped, and what comes back is what was sent', async (c) => {
    const page = c.ann;
    c.budget = randomBytes(48213);
    c.film = randomBytes(9 << 20);
    const names = { 'Budget 2026.xlsx': c.budget, 'Interview.mov': c.film, 'Notes.md': Buffer.alloc(0), 'تقرير.pdf': randomBytes(1200) };
    for (const [name, bytes] of Object.entries(names)) writeFileSync(join(c.files, name), bytes);
    await page.setInputFiles('#pick-files', Object.keys(names).map((n) => join(c.files, n)));
    await allDone(page, 4);
    await row(page, 'Interview.mov'); // the list is fresh
    await c.stage.look(page, 'uploads');
    await drop(page, 'To do.txt', 'dropped');
    await allDone(page, 5);
    await row(page, 'To do.txt'); // without a reload
    await page.getByRole('button', { name: 'Clear finished' }).click();
    equal(await downloaded(page, () => page.getByLabel('Download Interview.mov').click()), sum(c.film), 'Interview.mov');
    equal(await downloaded(page, () => page.getByLabel('Download Notes.md').click()), sum(Buffer.alloc(0)), 'Notes.md');
    equal(await downloaded(page, () => page.getByLabel('Download To do.txt').click()), sum('dropped'), 'To do.txt');
  }],

  ['a whole folder is sent', async (c) => {
    const page = c.ann;
    mkdirSync(join(c.files, 'trip', 'day one'), { recursive: true });
    writeFileSync(join(c.files, 'trip', 'plan.txt'), 'plan');
    writeFileSync(join(c.files, 'trip', 'day one', 'harbour.txt'), 'harbour');
    await page.setInputFiles('#pick-folder', join(c.files, 'trip'));
    await allDone(page, 2);
    await page.goto(`${team}/trip/day%20one`);
    await row(page, 'harbour.txt');
  }],

  ['an upload is paused, survives a reload and goes on where it was', async (c) => {
    const page = c.ann;
    await page.goto(team);
    const bytes = randomBytes(24 << 20);
    writeFileSync(join(c.files, 'Harbour at night.mov'), bytes);
    const wire = await page.context().newCDPSession(page);
    const slow = (uploadThroughput) => wire.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
    await wire.send('Network.enable');
    await slow(4 << 20);
    await page.setInputFiles('#pick-files', join(c.files, 'Harbour at night.mov'));
    await page.waitForFunction(() => document.querySelector('#transfer-list progress')?.value > 0.2);
    await page.getByLabel('Pause Harbour at night.mov').click();
    await page.getByText('paused at').waitFor();
    await c.stage.look(page, 'a paused upload', 'upload');
    await page.reload();
    await page.getByText('Choose the same file again to go on').waitFor();
    await c.stage.look(page, 'an upload left behind');
    await slow(-1);
    const patch = page.waitForRequest((r) => r.method() === 'PATCH');
    await page.setInputFiles('#pick-files', join(c.files, 'Harbour at night.mov'));
    const offset = Number((await patch).headers()['upload-offset']);
    holds(offset > 0, `it goes on behind what was sent (${offset})`);
    await allDone(page, 1);
    await row(page, 'Harbour at night.mov');
    equal(await downloaded(page, () => page.getByLabel('Download Harbour at night.mov').click()), sum(bytes), 'Harbour at night.mov');
  }],

  ['an upload goes on by itself after the connection was lost', async (c) => {
    const page = c.ann;
    const bytes = randomBytes(12 << 20);
    writeFileSync(join(c.files, 'Poster draft.tiff'), bytes);
    let cut = 0;
    await page.route('**/api/v1/uploads/*', async (route) => {
      if (route.request().method() === 'PATCH' && cut < 1) {
        cut += 1;
        await route.abort('connectionreset');
      } else {
        await route.continue();
      }
    });
    await page.setInputFiles('#pick-files', join(c.files, 'Poster draft.tiff'));
    await row(page, 'Poster draft.tiff');
    equal(cut, 1, 'cuts');
    await page.unroute('**/api/v1/uploads/*');
    equal(await downloaded(page, () => page.getByLabel('Download Poster draft.tiff').click()), sum(bytes), 'Poster draft.tiff');
  }],

  ['a folder is sorted and looked at', async (c) => {
    const page = c.ann;
    await page.goto(team);
    await c.stage.look(page, 'a folder', 'folder');
    await page.getByRole('link', { name: 'Size' }).click();
    await page.locator('th[aria-sort=ascending]', { hasText: 'Size' }).waitFor();
    const sizes = await page.locator('#rows tr td.name a').allTextContents();
    equal(sizes.at(-1).trim(), 'Harbour at night.mov', 'the largest file');
  }],

  ['a file is renamed and moved', async (c) => {
    const page = c.ann;
    await menu(page, 'Poster draft.tiff', 'Rename or move');
    await page.locator('dialog[open]').waitFor();
    await c.stage.look(page, 'rename, in a dialog');
    await page.getByLabel('Name', { exact: true }).fill('Poster.tiff');
    await page.getByLabel('Folder', { exact: true }).fill('nowhere');
    await page.keyboard.press('Enter');
    await page.getByText('There is no folder nowhere here').waitFor();
    await page.getByLabel('Folder', { exact: true }).fill('Photographs');
    await page.keyboard.press('Enter');
    await page.getByText('Now Design team/Photographs/Poster.tiff.').waitFor();
    await row(page, 'Poster.tiff');
  }],

  ['what was deleted is taken back at once, or from the trash', async (c) => {
    const page = c.ann;
    await page.goto(team);
    await menu(page, 'Notes.md', 'Delete');
    await page.getByText('Deleted Notes.md.').waitFor();
    await c.stage.look(page, 'a deleted file', 'deleted');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Notes.md is back.').waitFor();
    await row(page, 'Notes.md');
    await menu(page, 'Notes.md', 'Delete');
    await page.goto('/trash/Design%20team');
    await c.stage.look(page, 'trash', 'trash');
    await page.getByLabel('Restore Notes.md').click();
    await row(page, 'Notes.md');
  }],

  ['an earlier version is brought back', async (c) => {
    const page = c.ann;
    await page.goto(team);
    writeFileSync(join(c.files, 'Budget 2026.xlsx'), 'overwritten');
    await page.setInputFiles('#pick-files', join(c.files, 'Budget 2026.xlsx'));
    await allDone(page, 1);
    await page.goto(`${team}/Budget%202026.xlsx`);
    equal(await page.locator('.versions tbody tr').count(), 2, 'versions');
    await c.stage.look(page, 'a file', 'file');
    equal(await downloaded(page, () => page.getByRole('link', { name: 'Download' }).first().click()), sum('overwritten'), 'the new version');
    await page.getByRole('button', { name: 'Restore' }).click();
    await page.getByText('The earlier version is current again.').waitFor();
    equal(await downloaded(page, () => page.getByRole('link', { name: 'Download' }).first().click()), sum(c.budget), 'the earlier version');
  }],

  ...more,
];
