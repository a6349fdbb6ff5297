export { Schedule, scheduleHeader } from './schedule.ts';
