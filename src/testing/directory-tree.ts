import { basename, dirname, sep } from 'node:path';
import { FileImage } from './file-image.ts';
import type { SeededRandom } from './seeded-random.ts';

type Node = Directory | FileImage;

/** The names of a directory: as running programs see them, and as they certainly are after power loss. */
interface Directory {
  isDirectory: true;
  names: Map<string, Node>;
  durable: Map<string, Node>;
}

/** A change of names that is not durable yet; it is kept or lost as a whole. */
interface NameChange {
  stamp: number;
  sets: { directory: Directory; name: string; node: Node | undefined }[];
}

/** What a path is not; the disk makes an error of it. */
export type PathFault = 'ENOENT' | 'EEXIST' | 'EISDIR' | 'ENOTDIR';

/** The directories of a simulated disk. Methods that fail return the error's code and change nothing. */
export class DirectoryTree {
  readonly #root: Directory;
  /** Oldest first. */
  #pending: NameChange[] = [];
  #stamp = 0;

  constructor(root: Directory = createDirectory()) {
    this.#root = root;
  }

  get stamp(): number {
    return this.#stamp;
  }

  find(path: string): FileImage | PathFault {
    const node = this.#findNode(path);
    if (!node) return 'ENOENT';
    return node instanceof FileImage ? node : 'EISDIR';
  }

  create(path: string, file: FileImage): PathFault | undefined {
    const directory = this.#findDirectory(dirname(path));
    if (typeof directory === 'string') return directory;
    if (directory.names.has(basename(path))) return 'EEXIST';
    this.#change([{ directory, name: basename(path), node: file }]);
    return undefined;
  }

  list(path: string): string[] | PathFault {
    const directory = this.#findDirectory(path);
    return typeof directory === 'string' ? directory : [...directory.names.keys()];
  }

  makeDirectory(path: string): PathFault | undefined {
    let directory = this.#root;
    for (const name of namesOf(path)) {
      let node = directory.names.get(name);
      if (node instanceof FileImage) return 'ENOTDIR';
      if (!node) {
        node = createDirectory();
        this.#change([{ directory, name, node }]);
      }
      directory = node;
    }
    return undefined;
  }

  rename(from: string, to: string): PathFault | undefined {
    const source = this.#findDirectory(dirname(from));
    const target = this.#findDirectory(dirname(to));
    if (typeof source === 'string') return source;
    if (typeof target === 'string') return target;
    const node = source.names.get(basename(from));
    const replaced = target.names.get(basename(to));
    if (!node) return 'ENOENT';
    if (node === replaced) return undefined;
    if (replaced && !(replaced instanceof FileImage)) return 'EISDIR';
    if (replaced && !(node instanceof FileImage)) return 'ENOTDIR';
    this.#change([
      { directory: source, name: basename(from), node: undefined },
      { directory: target, name: basename(to), node },
    ]);
    return undefined;
  }

  remove(path: string): PathFault | undefined {
    const directory = this.#findDirectory(dirname(path));
    if (typeof directory === 'string') return directory === 'ENOENT' ? undefined : directory;
    const node = directory.names.get(basename(path));
    if (!node) return undefined;
    if (!(node instanceof FileImage)) return 'EISDIR';
    this.#change([{ directory, name: basename(path), node: undefined }]);
    return undefined;
  }

  /** Makes the changes in a directory up to `stamp` durable, and the earlier ones that they stand on. */
  flush(path: string, stamp: number): PathFault | undefined {
    const directory = this.#findDirectory(path);
    if (typeof directory === 'string') return directory;
    const wanted = new Set<NameChange>();
    for (const change of this.#pending.toReversed()) {
      const isHere = change.sets.some((set) => set.directory === directory);
      const isNeeded = [...wanted].some((later) => dependsOn(later, change));
      if ((isHere && change.stamp <= stamp) || isNeeded) wanted.add(change);
    }
    this.#pending = this.#pending.filter((change) => {
      if (wanted.has(change)) makeDurable(change);
      return !wanted.has(change);
    });
    return undefined;
  }

  /** All files that have a name. */
  *files(directory = this.#root): Generator<FileImage> {
    for (const node of directory.names.values()) {
      if (node instanceof FileImage) yield node;
      else yield* this.files(node);
    }
  }

  /** The tree as power loss may leave it; this one is of no more use. */
  afterPowerLoss(random: SeededRandom): DirectoryTree {
    const rate = random.pick([0, 1, 0.5, 0.5]);
    const lost: NameChange[] = [];
    for (const change of this.#pending) {
      // Changes of one name or of one file reach the disk in order; others in any.
      const isOrphan = lost.some((earlier) => dependsOn(change, earlier));
      if (random.chance(rate) && !isOrphan) makeDurable(change);
      else lost.push(change);
    }
    return new DirectoryTree(survivor(this.#root, random, new Map()));
  }

  #change(sets: NameChange['sets']): void {
    for (const { directory, name, node } of sets) setName(directory.names, name, node);
    this.#pending.push({ stamp: ++this.#stamp, sets });
  }

  #findNode(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (!node || node instanceof FileImage) return undefined;
      node = node.names.get(name);
    }
    return node;
  }

  #findDirectory(path: string): Directory | PathFault {
    const node = this.#findNode(path);
    if (!node) return 'ENOENT';
    return node instanceof FileImage ? 'ENOTDIR' : node;
  }
}

function createDirectory(): Directory {
  return { isDirectory: true, names: new Map(), durable: new Map() };
}

function namesOf(path: string): string[] {
  return path.split(sep).filter((name) => name !== '');
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node) names.set(name, node);
  else names.delete(name);
}

function makeDurable(change: NameChange): void {
  for (const { directory, name, node } of change.sets) setName(directory.durable, name, node);
}

/** Whether two changes are of one name, or of one file or directory. */
function dependsOn(later: NameChange, earlier: NameChange): boolean {
  return later.sets.some((one) =>
    earlier.sets.some(
      (other) =>
        (one.directory === other.directory && one.name === other.name) ||
        (one.node !== undefined && one.node === other.node),
    ),
  );
}

function survivor(
  directory: Directory,
  random: SeededRandom,
  images: Map<FileImage, FileImage>,
): Directory {
  const result = createDirectory();
  for (const [name, node] of directory.durable) {
    let copy: Node;
    if (node instanceof FileImage) {
      copy = images.get(node) ?? node.afterPowerLoss(random);
      images.set(node, copy);
    } else {
      copy = survivor(node, random, images);
    }
    result.names.set(name, copy);
    result.durable.set(name, copy);
  }
  return result;
}
