import { Broker } from '../../src/broker/index.ts';

/** Makes a store of so many shards: a server that is started over it keeps their number, which it cannot be told itself. */
export async function makeShardedStore(dataPath: string, shards: number): Promise<void> {
  const broker = await Broker.open({ data: dataPath, shards });
  await broker.close();
}
