CREATE TABLE `lane` (
	`partner` text PRIMARY KEY NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	`shut_until` text,
	`paused_at` text,
	`note` text
);
