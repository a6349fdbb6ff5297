/** Opens the directory that it is given, says so, and stays. */
import { Broker } from '../../src/broker/index.ts';

const broker = await Broker.open({ data: process.argv[2] ?? '' });
await broker.send('t', { value: 'stored' });
process.send?.('open');
setInterval(() => undefined, 1000);
