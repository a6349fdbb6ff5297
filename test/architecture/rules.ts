import path from 'node:path';

/** A file of the repository, its path relative to the root with forward slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

export type Floors = ReadonlyMap<string, number>;

const linesMax = 800;

/** Reads the fenced block `floors`: lines of a number and the folders on it. */
export function parseFloors(markdown: string): Floors {
  const block = /^```floors\n(.*?)^```/ms.exec(markdown)?.[1];
  if (block === undefined) throw new Error('ARCHITECTURE.md has no fenced block named floors');
  const floors = new Map<string, number>();
  for (const line of block.trimEnd().split('\n')) {
    const match = /^(\d+)((?: [a-z0-9-]+\/\*?)+)$/.exec(line);
    if (match === null) throw new Error(`floors: cannot read the line ${JSON.stringify(line)}`);
    for (const folder of match[2]!.trim().split(' ')) {
      floors.set(folder.replace(/\/$/, ''), Number(match[1]));
    }
  }
  return floors;
}

/** `src/doors/kafka/wire/x.ts` -> `doors/kafka`; `src/shard/group/x.ts` -> `shard`; `src/index.ts` -> ``. */
function folderOf(file: string, floors: Floors): string {
  const parts = file.split('/').slice(1, -1);
  const [first, second] = parts;
  if (first === undefined) return '';
  return floors.has(`${first}/*`) && second !== undefined ? `${first}/${second}` : first;
}

function findFloor(folder: string, floors: Floors): number | undefined {
  if (folder === '') return Number.POSITIVE_INFINITY;
  return floors.get(folder) ?? floors.get(`${folder.split('/')[0]}/*`);
}

/** The module specifiers of imports, re-exports and dynamic imports. */
export function findImports(text: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2]!);
}

const isSource = (file: SourceFile): boolean =>
  file.path.startsWith('src/') && file.path.endsWith('.ts');
const isTesting = (file: SourceFile): boolean => file.path.startsWith('src/testing/');

/** A folder's only entrance is its index; the client shares the codec of the door it talks to. */
function isEntrance(target: string, folder: string, importer: string): boolean {
  if (target === `src/${folder}/index.ts`) return true;
  return importer === 'client' && target === `src/${folder}/wire/index.ts`;
}

export function findFloorViolations(files: readonly SourceFile[], floors: Floors): string[] {
  const found: string[] = [];
  for (const file of files) {
    if (!isSource(file) || isTesting(file)) continue;
    const folder = folderOf(file.path, floors);
    const floor = findFloor(folder, floors);
    if (floor === undefined) {
      found.push(`${file.path}: the folder ${folder}/ is on no floor of ARCHITECTURE.md`);
      continue;
    }
    if (folder === '' && file.path !== 'src/index.ts') {
      found.push(`${file.path}: only index.ts lives directly in src/`);
    }
    for (const specifier of findImports(file.text)) {
      if (!specifier.startsWith('.')) continue;
      const target = path.posix.join(path.posix.dirname(file.path), specifier);
      const problem = findImportProblem(target, folder, floor, floors);
      if (problem !== undefined) found.push(`${file.path} imports ${target}: ${problem}`);
    }
  }
  return found;
}

function findImportProblem(
  target: string,
  folder: string,
  floor: number,
  floors: Floors,
): string | undefined {
  if (!target.startsWith('src/')) {
    return target === 'package.json' ? undefined : 'it is outside src/';
  }
  const targetFolder = folderOf(target, floors);
  if (targetFolder === folder) return undefined;
  if (targetFolder === 'testing') return 'testing/ is for tests only';
  const targetFloor = findFloor(targetFolder, floors);
  if (targetFloor === undefined) return 'it is on no floor';
  if (targetFloor > floor) return `floor ${floor} may not import floor ${targetFloor}`;
  if (targetFloor === floor) return `folders of the same floor (${floor}) never import each other`;
  if (!isEntrance(target, targetFolder, folder)) return 'a folder is entered through its index.ts';
  return undefined;
}

const protocolNames =
  /kafka|amqp|rabbit|\bsqs|sqs\b|\baws\b|amazon|stomp|mqtt|activemq|qpid|rocketmq|beanstalk|tarantool|openwire|\bjms/i;

/** The layout of a batch has no other name. */
const allowedProtocolPhrase = /Kafka RecordBatch v2 layout/g;
const doorsFloor = 6;

export function findProtocolNames(files: readonly SourceFile[], floors: Floors): string[] {
  return findInLines(
    files.filter((file) => isBelowFloor(file, doorsFloor, floors)),
    (line) => protocolNames.exec(line.replace(allowedProtocolPhrase, ''))?.[0],
    'a protocol is named below the doors',
  );
}

function isBelowFloor(file: SourceFile, floor: number, floors: Floors): boolean {
  if (!isSource(file) || isTesting(file)) return false;
  return (findFloor(folderOf(file.path, floors), floors) ?? 0) < floor;
}

function findInLines(
  files: readonly SourceFile[],
  find: (line: string) => string | undefined,
  problem: string,
): string[] {
  return files.flatMap((file) =>
    file.text.split('\n').flatMap((line, index) => {
      const word = find(line);
      return word === undefined ? [] : [`${file.path}:${index + 1}: ${problem}: ${word.trim()}`];
    }),
  );
}

/** Time and randomness come through `Clock` and `Random`, so that the simulation owns them. */
export function findAmbientTime(files: readonly SourceFile[], floors: Floors): string[] {
  const pattern =
    /\bDate\.now\b|new Date\(\)|\bMath\.random\b|\bperformance\.now\b|\bset(?:Timeout|Interval|Immediate)\(|\brandom(?:UUID|Bytes)\(|\bhrtime\b/;
  const journalFloor = 2;
  const netFloor = 5;
  return findInLines(
    files.filter(
      (file) => isBelowFloor(file, netFloor, floors) && !isBelowFloor(file, journalFloor, floors),
    ),
    (line) => pattern.exec(withoutLineComment(line))?.[0],
    'time and randomness come through Clock and Random',
  );
}

function withoutLineComment(line: string): string {
  return /^\s*(?:\*|\/\*|\/\/)/.test(line) ? '' : line.replace(/\s\/\/ .*$/, '');
}

export function findLongFiles(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => /\.tsx?$/.test(file.path) && file.text.split('\n').length - 1 > linesMax)
    .map((file) => `${file.path}: more than ${linesMax} lines`);
}

export function findEscapesFromTypes(files: readonly SourceFile[]): string[] {
  const escape =
    /(?::|\bas|<|\||,|=>)\s*any\b(?!\s+\w)|\bany\[\]|@ts-(?:ignore|nocheck|expect-error)/;
  return findInLines(
    files.filter(isSource),
    (line) =>
      escape.exec(
        /@ts-/.test(line) ? line : withoutLineComment(line.replace(/'[^']*'/g, "''")),
      )?.[0],
    'the type checker is switched off',
  );
}

export function findModuleState(files: readonly SourceFile[]): string[] {
  return findInLines(
    files.filter(isSource),
    (line) => /^(?:export )?(?:let|var) \w+/.exec(line)?.[0],
    'mutable module state',
  );
}

/** Names are kebab-case nouns; a name that says nothing collects everything. */
export function findBadFileNames(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => isSource(file))
    .filter((file) => {
      const name = path.posix.basename(file.path, '.ts');
      return (
        !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) || /^(?:utils?|helpers?|common|misc)$/.test(name)
      );
    })
    .map((file) => `${file.path}: a file is named after its one noun, in kebab-case`);
}

const machinePaths = /(?:^|[\s"'`(=:])\/(?:work|root|home\/\w+|Users\/\w+)\//;
/** The dots are in brackets so that this line does not find itself. */
const registryHosts = /registry[.]npmjs|repo1?[.]maven|deb[.]debian|pypi[.]org|proxy[.]golang/;

/** Properties are tested with the cases of a seed that is known: the package alone takes another one in every run. */
export function findUnseededProperties(files: readonly SourceFile[]): string[] {
  const others = files.filter((file) => file.path !== 'test/support/fast-check.ts');
  return findInLines(
    others,
    (line) => /\b(?:from|import)\b[ (]*['"]fast-check['"]/.exec(line)?.[0],
    'cases without a fixed seed (test/support/fast-check.ts has one)',
  );
}

export function findMachinePaths(files: readonly SourceFile[]): string[] {
  return findInLines(
    files,
    (line) => machinePaths.exec(line)?.[0] ?? registryHosts.exec(line)?.[0],
    'a path or host that belongs to one machine',
  );
}
