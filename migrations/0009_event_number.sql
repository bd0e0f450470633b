CREATE TABLE `event_number` (
	`term` blob NOT NULL,
	`event` text NOT NULL,
	PRIMARY KEY(`term`, `event`)
);
--> statement-breakpoint
CREATE INDEX `event_number_by_event` ON `event_number` (`event`);--> statement-breakpoint
CREATE INDEX `event_unknown` ON `event` (`kind`,`at`) WHERE "event"."state" = 'unknown';